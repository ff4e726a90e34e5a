"""The control API that tests and the page use to arrange the practice world."""
