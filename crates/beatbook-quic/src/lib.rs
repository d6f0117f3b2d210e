//! Carries frames over QUIC: endpoint, mutual TLS identity, enrolment.
