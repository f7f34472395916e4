"""The rules that find what a translation copies. Time is linear in the text's length, whatever the text.

Every repetition in a rule is bounded or possessive, and guarded by a look-behind, so that no search starts over within
what it has read.
"""
