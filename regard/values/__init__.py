"""What the API's messages mean, as typed objects; how the axes of a map are labelled."""
