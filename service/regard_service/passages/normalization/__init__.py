"""Texts of natural languages in the form that models were trained on, and translations in the form of their sources."""
