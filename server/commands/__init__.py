"""Sub-commands of `offhook`: one module for each noun."""
