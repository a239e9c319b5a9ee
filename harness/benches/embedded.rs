fn main() {
    ringfence::init();
}
