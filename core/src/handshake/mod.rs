//! From the first bytes of a connection to a request (RFC 6455, section 4.2; RFC 9112).
