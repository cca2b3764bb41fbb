//! Advisory records, every source's parser, identities and statements, the compiled index; pure.
