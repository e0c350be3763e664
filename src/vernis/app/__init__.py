"""The review app and the REST API: one open collection, served to a browser on this machine.

Routes, the guard in front of them, jobs, events, small pictures. What a route answers is found by
verbs and by what stands beside them.
Never: a calculation, SQL, or a route that a verb's declaration could give.
"""
