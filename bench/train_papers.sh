#!/bin/sh
# The runs behind the shipped weights and behind `hand-recon bench papers --part 1`, on two CPU cores: see docs/training.md
# for the hours. Each may be ended and started again; data are made on the way. Usage: sh bench/train_papers.sh [FOLDER]
set -e
RUNS=${1:-runs}
train() { .venv/bin/hand-recon train "$@" --config small --threads 1; }

train detnet --out "$RUNS/detnet"
train iknet --out "$RUNS/iknet"
train iknet --out "$RUNS/iknet_detnet" --override detnet=detnet     # the shipped DetNet, or the path of another
for stage in image keypoint fusion segmentation finalize synthetic_adaption stereo; do
    train handnet --stage $stage --out "$RUNS/handnet"
done

# What the ablations leave out (Zhou et al. 2020, table 2; Seeber et al. 2021, table 2).
train iknet --out "$RUNS/iknet_without_cosine" --override weights.cosine=0
train iknet --out "$RUNS/iknet_without_l2" --override weights.l2=0
train iknet --out "$RUNS/iknet_without_rotations" --override weights.cosine=0 --override weights.l2=0
train iknet --out "$RUNS/iknet_without_3dposdata" --override seen_share=0
train iknet --out "$RUNS/iknet_without_seen_rotations" --override seen_rotations=false
train handnet --stage single --out "$RUNS/handnet_single"
