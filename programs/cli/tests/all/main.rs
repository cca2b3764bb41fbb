//! The product as a user meets it, and the shape of its code.

mod demo;
mod tidy;
