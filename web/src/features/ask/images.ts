/** Longest side; what models see is smaller still. */
const MOST_PIXELS = 1536;

/** Pictures of a paste, a drop or a choice, as JPEG data URLs: engines do not read every format that browsers do. */
export async function readImages(files: Iterable<File>): Promise<string[]> {
  const pictures = [...files].filter(({ type }) => type.startsWith("image/"));
  return Promise.all(pictures.map(readImage));
}

async function readImage(file: File): Promise<string> {
  const bitmap = await createImageBitmap(file);
  const scale = Math.min(1, MOST_PIXELS / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  if (!context) throw new Error("This browser cannot draw the picture.");
  // JPEG has no transparency: it would come out black.
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  bitmap.close();
  return canvas.toDataURL("image/jpeg", 0.9);
}
