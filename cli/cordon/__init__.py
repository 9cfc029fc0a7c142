"""`cordon`: everything an operator or a brand's engineer does from a terminal. Not shipped to Lambda."""
