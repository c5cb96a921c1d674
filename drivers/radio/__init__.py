"""A radio without a radio: simulated devices in the air, and two ways for our own code to hear them.

Training and tests only, and the one place beside the simulators that knows bumble. Nothing here is
imported unless a unit of the training realm asks for ``backend = "virtual"``.
"""
