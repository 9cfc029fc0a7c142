"""The operator's command line and what builds the package. Not shipped to Lambda."""
