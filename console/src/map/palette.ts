// The map's colours, light and dark: for MapLibre's layers and for what is drawn above them.

export interface Palette {
  sea: string;
  land: string;
  border: string;
  name: string;
  city: string;
  halo: string;
  grid: string;
  gridInk: string;
  vehicle: string;
  stale: string;
  rim: string;
  trail: string;
  chosen: string;
  cluster: string;
  clusterInk: string;
  label: string;
  labelPaper: string;
}

export const LIGHT: Palette = {
  sea: "#dbe6ea",
  land: "#f7f8f6",
  border: "#b9c4c9",
  name: "#5a6872",
  city: "#46555f",
  halo: "#f7f8f6",
  grid: "#14212b16",
  gridInk: "#46555f",
  vehicle: "#0b7f70",
  stale: "#8b979e",
  rim: "#ffffff",
  trail: "#0b7f70",
  chosen: "#d9480f",
  cluster: "#0b6e63",
  clusterInk: "#ffffff",
  label: "#14212b",
  labelPaper: "#ffffffe6",
};

export const DARK: Palette = {
  sea: "#0b141a",
  land: "#17232c",
  border: "#344652",
  name: "#8fa0ab",
  city: "#afbdc6",
  halo: "#17232c",
  grid: "#e6edf112",
  gridInk: "#93a3ad",
  vehicle: "#45cdb4",
  stale: "#6b7d89",
  rim: "#0b141a",
  trail: "#45cdb4",
  chosen: "#ffb057",
  cluster: "#45cdb4",
  clusterInk: "#06231f",
  label: "#e6edf1",
  labelPaper: "#16222be6",
};
