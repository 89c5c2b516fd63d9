//! What every adapter must do. One `exercise` per port, which each adapter's tests call.
