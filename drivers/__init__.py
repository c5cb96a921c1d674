"""Device codecs, drivers and simulators: the only part that speaks to hardware."""
