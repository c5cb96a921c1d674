"""Photos and documents that somebody attaches: what they may be, and written anew without what they hide.

`edge.attachments.child` is a process of its own, with limits: nothing else loads the libraries that read
what came from a stick. `edge.attachments.limits` is what everybody may import.
"""
