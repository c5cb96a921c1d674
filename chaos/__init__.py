"""Everything broken at once, for hours: units, links, broker and centre, from one seed; then counted."""
