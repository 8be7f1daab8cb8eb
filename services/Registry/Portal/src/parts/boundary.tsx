import { Component, type ReactNode } from 'react';
import { ApiError } from '../api/client';
import { ErrorBox } from './states';

/** A page that fails is a box that says so, and the rest of the portal stays. */
export class Boundary extends Component<{ children: ReactNode }, { error?: Error }> {
  state: { error?: Error } = {};

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  render() {
    const { error } = this.state;
    if (!error) return this.props.children;
    return <ErrorBox error={new ApiError(0, `This page could not be shown: ${error.message}`)} retry={() => location.reload()} />;
  }
}
