from hand_recon_ros.blas_threads import limit_blas_threads

# Nodes share the processor with each other and the robot's own programs.
limit_blas_threads()
