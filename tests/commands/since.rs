//! since
