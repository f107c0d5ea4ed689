// A picture from the camera or a file, brought to the model's size. facts: {fit}, how: letterbox, crop or stretch.
import {say} from '../translator.js';
import {build, copies, tell, told} from './elements.js';

const HTML = `
<section>
<label>A picture <input data-part="file" type="file" accept="image/*"></label>
<label class="camera">or the camera <input data-part="camera" type="file" accept="image/*" capture="environment"></label>
<p class="note">A picture can be dropped or pasted here, too.</p>
<img data-part="shown" alt="The picture" hidden>
<p class="cut" data-part="problem" role="alert" hidden></p>
</section>${told('What it shows', 'The answer was too long and has been cut.')}`;

export async function mount(panel, model, facts) {
  const part = build(panel, HTML), [, height, width] = model.shape('caption', 'image');
  copies(part.copy, () => part.answer.value);

  const see = async blob => {
    part.problem.hidden = true;
    try {
      const image = pixels(await createImageBitmap(blob), width, height, facts.fit);
      URL.revokeObjectURL(part.shown.src);
      part.shown.src = URL.createObjectURL(blob);
      part.shown.hidden = false;
      const begun = performance.now(), signature = model.has('caption_beam') ? 'caption_beam' : 'caption';
      const found = await say(model, signature, {image});
      tell(part, found, performance.now() - begun);
      part.shown.alt = found.answers[0].text;
      document.body.dataset.shown = `${blob.size} bytes`;
    } catch (error) {
      part.problem.textContent = `This picture cannot be read: ${error.message.replace(/\.*$/, '')}. Take a .jpg, .png or .webp.`;
      part.problem.hidden = false;
    }
  };
  const first = files => {
    const file = [...files].find(one => one.type.startsWith('image/'));
    if (file) see(file);
    return file;
  };
  for (const input of [part.file, part.camera]) input.addEventListener('change', () => input.files[0] && see(input.files[0]));
  panel.addEventListener('dragover', event => event.preventDefault());
  panel.addEventListener('drop', event => {
    event.preventDefault();
    first(event.dataTransfer.files);
  });
  addEventListener('paste', event => {
    if (!panel.hidden && first(event.clipboardData.files)) event.preventDefault();
  });
}

/** Where a picture lies on a canvas: [x, y, width, height] of it there; the rest is grey, or it hangs over. */
export function place(from, to, fit) {
  if (fit === 'stretch') return [0, 0, to.width, to.height];
  const scales = [to.width / from.width, to.height / from.height], scale = (fit === 'crop' ? Math.max : Math.min)(...scales);
  const width = Math.max(1, Math.round(from.width * scale)), height = Math.max(1, Math.round(from.height * scale));
  return [Math.floor((to.width - width) / 2), Math.floor((to.height - height) / 2), width, height];
}

/** A bitmap -> red, green and blue of each pixel of a canvas of that size. */
function pixels(bitmap, width, height, fit) {
  const canvas = new OffscreenCanvas(width, height), context = canvas.getContext('2d');
  context.fillStyle = 'rgb(127 127 127)';
  context.fillRect(0, 0, width, height);
  context.imageSmoothingQuality = 'high';
  context.drawImage(bitmap, ...place(bitmap, {width, height}, fit));
  const {data} = context.getImageData(0, 0, width, height);
  return Uint8Array.from({length: 3 * width * height}, (_, i) => data[4 * Math.floor(i / 3) + i % 3]);
}
