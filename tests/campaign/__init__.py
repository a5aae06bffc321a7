"""The campaign: a table's life on the laptop chain while everything goes wrong, and its judges.

evidence     what lies in the lake, the error store and the dead letters, and what was written
validators   what must be true of it, each a pure function
storm        calls between the services that go wrong
chain        the laptop chain, begun anew for every campaign
life         the table's life, and a plain dict that knows what must come of it
machine      hypothesis, which decides what happens
records      the same without a cloud, for many more histories

python -m tests.campaign --campaigns 200 --seed 1
"""
