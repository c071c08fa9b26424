//! Nothing here: the package only carries the test binary in `it/`.
