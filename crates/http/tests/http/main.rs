//! The API over a real listener: every route, every refusal.

mod common;
mod spine;
