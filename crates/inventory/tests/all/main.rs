//! Inventories of the real corpora.

mod corpus;
mod graph;
