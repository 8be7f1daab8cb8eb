import { createContext, use } from 'react';
import type { Role } from '../api/types';

const order: Role[] = ['viewer', 'submitter', 'promoter', 'admin'];

export const RoleContext = createContext<Role>('viewer');

/** Whether the session may do what needs this role. The server decides again; this only hides what it would refuse. */
export const useMay = (atLeast: Role) => order.indexOf(use(RoleContext)) >= order.indexOf(atLeast);
