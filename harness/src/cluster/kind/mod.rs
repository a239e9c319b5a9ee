//! Ephemeral kind clusters.
