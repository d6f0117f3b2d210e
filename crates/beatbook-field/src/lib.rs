//! The field library: the notebook on a device and its sync agent.
