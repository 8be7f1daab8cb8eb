import { createRoot } from 'react-dom/client';
import { App } from './app';
import './pages/pages.css';

createRoot(document.getElementById('root')!).render(<App />);
