"""The nurse's terminal: it shows, asks and sends commands; it holds no data and no key."""
