//! Tickets: what stands in an address in place of a key.

use crate::domain::string_enum::string_enum;
use serde::{Deserialize, Serialize};

string_enum!(
    /// A path that takes a ticket.
    TicketPath {
        /// The live feed.
        Live = "/ws",
    }
);
