"""Training of the bundled recogniser; needs torch, unlike everything else in Offhook."""
