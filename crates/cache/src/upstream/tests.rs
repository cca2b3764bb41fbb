//! Upstreams that lie, drip or die, under a clock that stands still until a test moves it.
