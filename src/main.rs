//! `vomeet`: see `vomeet --help`, or README.md.

fn main() {}
