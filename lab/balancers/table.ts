// SPDX-License-Identifier: Apache-2.0
import type { Balancer } from './balancer.ts';
import { kernelForward } from './kernel-forward.ts';
import { kernelIpvs } from './kernel-ipvs.ts';
import { nftDnat } from './nft-dnat.ts';
import { sluiceBalancer } from './sluice.ts';

export const balancers: readonly Balancer[] = [sluiceBalancer, kernelForward, kernelIpvs, nftDnat];
