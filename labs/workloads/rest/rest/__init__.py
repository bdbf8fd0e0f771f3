"""The REST microservice of the article's chain: frontend → REST → database."""
