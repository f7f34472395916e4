"""The client of Regard: translate, summarize and caption with attention models, and see what they regard."""
