//! Makes slow work asynchronous: accepts a request, acknowledges it, does it later and tells the client.

fn main() {}
