//! The product as a user meets it, and the shape of its code.
#![cfg(test)]

mod demo;
mod tidy;
