//! Inventories of the real corpora.

#[cfg(test)]
mod corpus;
#[cfg(test)]
mod graph;
