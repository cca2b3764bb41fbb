//! Repositories made and served by a real git.

mod fetching;
mod hostile;
mod work_trees;
mod world;
