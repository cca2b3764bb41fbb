//! Repositories made and served by a real git.
#![cfg(test)]

mod fetching;
mod hostile;
mod work_trees;
mod world;
