"""Method `triangulation`: the detector's landmarks triangulated with their covariance, then a hand fitted to them in 3D."""
