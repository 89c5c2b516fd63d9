//! ackd's embedded ledger and change feed on SQLite.
