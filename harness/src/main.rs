//! The `ringfence` command.

fn main() {
    ringfence::init();
}
