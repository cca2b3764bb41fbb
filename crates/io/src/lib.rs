//! The only door outside: bounded input, child processes, atomic files, the store database.
