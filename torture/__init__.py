"""`make torture`: the agent is killed, its power cut, its disk rotted; what it acknowledged is counted.

The oracle is what left the agent's socket: an entry named under ``saved`` is a promise. A fresh process
reads the store afterwards; an acknowledged entry that it does not find as it was is *lost*, a request that
it finds done twice is *doubled*.
"""
