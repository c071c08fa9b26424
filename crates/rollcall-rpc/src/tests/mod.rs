//! Both ends over loopback, with real TLS: what works, what is refused, what it costs.

mod enrolment;
mod hostile;
mod loopback;
mod session;
