/** Debian's Chromium without a screen and without its own errands in the background; `profile` is an empty folder. */
export const chromium = (profile: string): string[] => [
  'chromium',
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  `--user-data-dir=${profile}`,
];
