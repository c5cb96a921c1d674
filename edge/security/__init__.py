"""Key slots, PINs and their delay, the device secret, the lock that keeps a second agent out."""
